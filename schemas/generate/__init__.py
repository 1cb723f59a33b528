"""Writes what others read of the schemas: CustomResourceDefinitions, JSON Schemas and AsyncAPI (``make schemas``)."""
