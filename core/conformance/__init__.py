"""Holds plugins against what the contract says: what they declare, the pictures and scores they make, the boundaries they learn."""
