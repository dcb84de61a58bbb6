"""Central over HTTP and WebSocket: requests in, `Operations` and `NetworkView` asked, answers and problems out."""
