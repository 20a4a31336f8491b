"""Make the bundled model of rooms from scratch."""
