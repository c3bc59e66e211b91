"""What a person reads: figures turned into tables and sentences. No clock, no file, no socket."""
