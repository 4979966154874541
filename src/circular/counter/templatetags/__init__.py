"""What templates may say beyond plain Django."""
