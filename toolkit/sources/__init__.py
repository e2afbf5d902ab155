"""Where variants come from: git repositories, packages, and our own catalog; `registry` names those of this host."""
