"""`huiying bench retrieval`: how the search grows, beside its embedding alone and beside other ways to search."""
