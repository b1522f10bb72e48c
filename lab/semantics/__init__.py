"""Each rule, shown in the lab: a topology, its policies, the harness around them, and the page that it writes."""
