"""What serves users and what keeps it: read, and made equal to the committed status, each object behind its fence."""
