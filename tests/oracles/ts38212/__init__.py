"""3GPP TS 38.212 V17, written from its clauses with the standard's own names and loops."""
