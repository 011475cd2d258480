/* Nothing is imported from here: this module only carries the flags that pkg-config knows. */
