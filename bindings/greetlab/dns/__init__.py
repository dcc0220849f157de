"""Names: looking them up as a pod does, and the cluster's DNS server."""
