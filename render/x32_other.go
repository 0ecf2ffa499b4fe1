//go:build !amd64

package main

// mayRunX32 tells whether this kernel may answer x32's system calls.
func mayRunX32() bool { return false }
