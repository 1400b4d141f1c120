"""Wrong derivatives made on purpose from every registered rule, and which checkers tell."""
