"""The pages and the JSON API under the mount: shows what the flows say, and knows no store."""
