package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"
)

// child takes memory or writes, once it is told that it is in its cgroup, until
// its input ends. It prints a line when it has taken what it should, or written
// the first block, and one at the end.
func child(args []string, in io.Reader, out io.Writer) int {
	if len(args) != 2 {
		return 2
	}
	from := bufio.NewReader(in)
	if _, err := from.ReadByte(); err != nil {
		return 1
	}
	if args[0] == "io" {
		return write(args[1], from, out)
	}
	size, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return 2
	}
	block, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		fmt.Fprint(out, err)
		return 1
	}
	for i := 0; i < len(block); i += os.Getpagesize() {
		block[i] = 1
	}
	fmt.Fprintln(out, "held")
	began := time.Now()
	from.ReadByte()
	fmt.Fprintf(out, "%d MiB were held for %v\n", size>>20, time.Since(began).Round(time.Second))
	return 0
}

// write writes a file over and over, each block to the disk, until its input ends.
func write(dir string, in io.Reader, out io.Writer) int {
	file, err := os.CreateTemp(dir, "ra2-disturb-")
	if err != nil {
		fmt.Fprint(out, err)
		return 1
	}
	defer file.Close()
	os.Remove(file.Name()) // gone with the process, whatever ends it
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, in)
		close(ended)
	}()
	block, began := make([]byte, 1<<20), time.Now()
	for n := int64(0); ; n++ {
		select {
		case <-ended:
			fmt.Fprintf(out, "%d MiB were written in %v\n", n, time.Since(began).Round(time.Second))
			return 0
		default:
		}
		_, err := file.WriteAt(block, n<<20%ioSize)
		if err == nil {
			err = file.Sync()
		}
		if err != nil {
			fmt.Fprint(out, err)
			return 1
		}
		if n == 0 {
			fmt.Fprintln(out, "wrote")
		}
	}
}
