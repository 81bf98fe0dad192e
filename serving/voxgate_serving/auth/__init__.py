"""Who asks: credentials, what proves them, and the settings of both. Only `principals` knows grpc."""
