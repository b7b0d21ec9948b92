"""What skhp is measured by; a package, as other libraries install one of this name."""
