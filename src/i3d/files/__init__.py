"""Files as such: on the disk, from the network, in archives."""
