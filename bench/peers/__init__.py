"""How each library is asked: `Blocking` and `Async`, each made for a `Run`."""
