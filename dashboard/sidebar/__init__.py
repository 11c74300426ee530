"""The sidebar: every choice an analyst makes, a file a section; widgets in, configs out."""
