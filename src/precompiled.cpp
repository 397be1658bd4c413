// Compiles precompiled.h once for every library that uses torch.
