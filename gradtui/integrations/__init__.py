"""These callbacks call `gradtui.watch` for libraries with their own training loop; each module needs its library."""
