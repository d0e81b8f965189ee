"""Messages to a hundred services by Apprise, in a child that can look up no name."""
