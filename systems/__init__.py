"""The product's systems: accounts, numbers, DNI, access and billing on SQLAlchemy."""
