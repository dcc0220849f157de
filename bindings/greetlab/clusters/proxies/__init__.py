"""Real proxies that balance requests, as the local cluster runs them."""
