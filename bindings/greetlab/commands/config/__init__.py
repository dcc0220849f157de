"""What a service config means, here and in each of gRPC's languages."""
