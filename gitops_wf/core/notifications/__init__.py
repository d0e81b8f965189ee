"""What is said to people and machines outside, and how they answer; pure."""
