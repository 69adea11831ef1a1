"""Speed and memory of the ranking library, beside other libraries, in one run."""
