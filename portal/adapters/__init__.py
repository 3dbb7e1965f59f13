"""The only code that has seen a vendor's wire format, one file a vendor."""
