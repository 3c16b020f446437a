{
  "targets": [{
    "target_name": "midst_push",
    "sources": ["src/addon.c"],
    "cflags": ["-std=c11", "-Wall", "-Wextra", "<!@(pkg-config --cflags midst-push)"],
    "libraries": ["<!@(pkg-config --libs midst-push)"]
  }]
}
