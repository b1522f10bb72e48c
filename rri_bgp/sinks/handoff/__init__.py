"""The hand-off: routes in a kernel table of their own, with their tags, for BIRD or FRR to announce.

Nobody looks that table up, so its routes lead nowhere and need no next hop. What each says is its tag
(docs/decisions/0013-the-metric-is-the-tag.md, docs/howto/hand-off.md).
"""
