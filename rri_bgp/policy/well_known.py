"""The names that access lists have for protocols and ports (IANA's numbers; Cisco's names where they differ)."""

from __future__ import annotations

__all__ = ["PORTS", "PROTOCOLS", "WITH_PORTS"]

# fmt: off
PROTOCOLS = {
    "ip": 0, "ipv6": 0, "icmp": 1, "igmp": 2, "ipinip": 4, "ipip": 4, "tcp": 6, "egp": 8, "udp": 17, "dccp": 33,
    "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "ahp": 51, "icmpv6": 58, "icmp6": 58, "eigrp": 88, "ospf": 89,
    "nos": 94, "pim": 103, "pcp": 108, "vrrp": 112, "l2tp": 115, "sctp": 132, "udplite": 136,
}
"""``ip`` and ``ipv6`` are any protocol, 0 in a traffic selector (RFC 4301 §4.4.1.1)."""

PORTS = {
    "echo": 7, "discard": 9, "daytime": 13, "chargen": 19, "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23,
    "smtp": 25, "time": 37, "tacacs": 49, "domain": 53, "dns": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "http": 80,
    "www": 80, "kerberos": 88, "pop3": 110, "sunrpc": 111, "ident": 113, "nntp": 119, "ntp": 123, "netbios-ns": 137,
    "netbios-dgm": 138, "netbios-ss": 139, "netbios-ssn": 139, "imap": 143, "imap4": 143, "snmp": 161, "snmptrap": 162,
    "bgp": 179, "ldap": 389, "https": 443, "smb": 445, "isakmp": 500, "exec": 512, "login": 513, "syslog": 514,
    "rip": 520, "submission": 587, "ldaps": 636, "imaps": 993, "pop3s": 995, "nfs": 2049, "mysql": 3306, "rdp": 3389,
    "non500-isakmp": 4500, "radius": 1812, "radius-acct": 1813, "sip": 5060, "sips": 5061, "postgresql": 5432,
}
# fmt: on

WITH_PORTS = frozenset({6, 17, 33, 132, 136})
"""TCP, UDP, DCCP, SCTP, UDP-Lite."""
