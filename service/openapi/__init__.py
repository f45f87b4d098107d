"""The API's own description: an OpenAPI 3.1 document made from the routes, and a page of it."""
