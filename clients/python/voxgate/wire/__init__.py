"""Between protobuf messages and the vocabulary, both ways, in one place."""
