"""What people look at: pages in plain HTML and JavaScript, which use the same API as programs."""
