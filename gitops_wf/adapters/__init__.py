"""Technologies behind the ports, unaware of each other; library errors end here."""
