"""Programs and models in notebooks: `%load_ext ogive`, `%%arch`, and what a cell shows of them."""
