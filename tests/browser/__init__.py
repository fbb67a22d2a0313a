"""What people and web sites see, in a real browser."""
