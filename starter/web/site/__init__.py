"""The product's pages for people: server-rendered, without scripts."""
