package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
)

// maxText is how much of a file is told, in bytes.
const maxText = 4096

// File is one line about a file.
type File struct {
	Path  string `json:"path"`
	OK    bool   `json:"ok"`
	Text  string `json:"text,omitempty"` // what it holds, or its beginning
	Error string `json:"error,omitempty"`
}

// files carries out write, read, fill and map.
func files(ctx context.Context, args []string, out, errs io.Writer) int {
	verb, rest := args[0], args[1:]
	if len(rest) == 0 || verb != "read" && len(rest) != 2 {
		fmt.Fprintf(errs, "ra2-probe: %s: wrong number of arguments\n", verb)
		return 2
	}
	if verb == "read" {
		code := 0
		for _, path := range rest {
			text, err := readFile(path)
			code = max(code, told(out, path, text, err))
		}
		return code
	}
	path, text := rest[0], ""
	size, err := strconv.ParseInt(rest[1], 10, 64)
	switch {
	case verb == "write":
		if err = writeFile(path, []byte(rest[1])); err == nil {
			text, err = readFile(path)
		}
	case err != nil:
	case verb == "fill":
		if err = fill(ctx, path, size); err == nil {
			told(out, path, "", nil)
			<-ctx.Done()
			err = errors.New("it was told to end")
		}
	default:
		err = mapped(path, size)
	}
	return told(out, path, text, err)
}

// told prints a line and returns the exit status.
func told(out io.Writer, path, text string, err error) int {
	f := File{Path: path, OK: err == nil, Text: text}
	if err != nil {
		f.Error = err.Error()
	}
	json.NewEncoder(out).Encode(f)
	if err != nil {
		return 1
	}
	return 0
}

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxText))
	return string(data), err
}

// writeFile writes what is on its disk when it returns: what a pod leaves behind
// must not be lost with its node's memory.
func writeFile(path string, data []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// fill writes a file that no file system can make smaller by leaving zeros out.
func fill(ctx context.Context, path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	block := bytes.Repeat([]byte("ra2-probe fills. "), 1<<12)
	for done := int64(0); done < size && err == nil; done += int64(len(block)) {
		if err = ctx.Err(); err == nil {
			_, err = f.Write(block[:min(int64(len(block)), size-done)])
		}
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// mapped maps a file into memory and writes to all of it. On a hugetlbfs the kernel
// reserves the pages with the map, or refuses it; a page that the cgroup may not have
// ends the program by SIGBUS (Documentation/admin-guide/mm/hugetlbpage.rst).
func mapped(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var fs syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &fs); err != nil {
		return err
	}
	const hugetlbfs = 0x958458f6 // statfs(2)
	if fs.Type != hugetlbfs {
		return fmt.Errorf("%s is no file of huge pages: its file system is of type %#x", path, fs.Type)
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map %d bytes of %s: %w", size, path, err)
	}
	for i := int64(0); i < size; i += fs.Bsize {
		data[i] = 1
	}
	return errors.Join(syscall.Munmap(data), os.Remove(path))
}
