"""What a message says, before anybody decides what to do with it. Pure: no database, no network, no clock."""
