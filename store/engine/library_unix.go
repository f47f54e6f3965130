//go:build linux || darwin

package engine

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is libchdb's C interface (chdb.h of the 26.5 series), reached without cgo. Every function may be called from
// several goroutines; one handle must be used by one goroutine at a time.
type library struct {
	connectC    func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeC      func(conn unsafe.Pointer)
	queryC      func(conn, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	streamC     func(conn, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	fetchC      func(conn, stream unsafe.Pointer) unsafe.Pointer
	cancelC     func(conn, stream unsafe.Pointer)
	bufferC     func(result unsafe.Pointer) unsafe.Pointer
	lengthC     func(result unsafe.Pointer) uintptr
	errorC      func(result unsafe.Pointer) unsafe.Pointer
	destroyC    func(result unsafe.Pointer)
	setSignalsC func(enabled int32)
}

// handle is one connection of the library: a session with its own current database and settings.
type handle struct {
	lib *library
	// owner is what chdb_connect returned and chdb_close_conn takes; conn is the connection it points to.
	owner, conn unsafe.Pointer
	// spoilt is set by the first error and by an abandoned stream: the library then keeps the failed statement's output
	// and its entry in system.processes in the handle, and would give the output to the next statement.
	spoilt bool
}

// result owns a C result; its bytes are valid until free.
type result struct {
	lib *library
	ptr unsafe.Pointer
}

func openLibrary(path string) (lib *library, err error) {
	// Lazy binding: with half a gigabyte of code, resolving every symbol at once costs a fifth of a second.
	image, err := purego.Dlopen(path, purego.RTLD_LAZY|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	lib = &library{}
	for _, f := range []struct {
		name string
		to   any
	}{
		{"chdb_connect", &lib.connectC},
		{"chdb_close_conn", &lib.closeC},
		{"chdb_query_with_params_n", &lib.queryC},
		{"chdb_stream_query_with_params_n", &lib.streamC},
		{"chdb_stream_fetch_result", &lib.fetchC},
		{"chdb_stream_cancel_query", &lib.cancelC},
		{"chdb_result_buffer", &lib.bufferC},
		{"chdb_result_length", &lib.lengthC},
		{"chdb_result_error", &lib.errorC},
		{"chdb_destroy_query_result", &lib.destroyC},
		{"chdb_set_signal_handlers_enabled", &lib.setSignalsC},
	} {
		symbol, err := purego.Dlsym(image, f.name)
		if err != nil {
			return nil, fmt.Errorf("%s has no %s: it is not libchdb %s or later: %w", path, f.name, LibraryVersion, err)
		}
		purego.RegisterFunc(f.to, symbol)
	}
	// The library's own handlers for fatal signals sleep for minutes before they let the process die. Without them a
	// crash ends the child at once and the parent sees which signal it was.
	lib.setSignalsC(0)
	return lib, nil
}

// connect opens a handle. All handles of a process must be opened with the same arguments.
func (lib *library) connect(args []string) (*handle, error) {
	argv := make([]unsafe.Pointer, 0, len(args)+1)
	for _, arg := range args {
		if strings.IndexByte(arg, 0) >= 0 {
			return nil, fmt.Errorf("engine argument %q holds a zero byte", arg)
		}
		argv = append(argv, cString(arg))
	}
	argv = append(argv, nil)
	owner := lib.connectC(int32(len(args)), unsafe.Pointer(&argv[0]))
	runtime.KeepAlive(argv)
	if owner == nil || *(*unsafe.Pointer)(owner) == nil {
		return nil, errors.New("the engine library refused to open the data directory")
	}
	return &handle{lib: lib, owner: owner, conn: *(*unsafe.Pointer)(owner)}, nil
}

func (h *handle) close() {
	h.lib.closeC(h.owner)
}

// query runs one statement to its end. The result must be freed.
func (h *handle) query(text, format string, params []param) (result, error) {
	return h.call(h.lib.queryC, text, format, params)
}

// stream starts a SELECT whose blocks are then fetched one by one.
func (h *handle) stream(text, format string, params []param) (result, error) {
	return h.call(h.lib.streamC, text, format, params)
}

type queryFunc = func(conn, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer

func (h *handle) call(f queryFunc, text, format string, params []param) (result, error) {
	names, nameLens := cStrings(params, func(p param) string { return p.name })
	values, valueLens := cStrings(params, func(p param) string { return p.value })
	textC, formatC := cString(text), cString(format)
	ptr := f(h.conn,
		textC, uintptr(len(text)), formatC, uintptr(len(format)),
		first(names), first(nameLens), first(values), first(valueLens), uintptr(len(params)))
	// Down in the call these are plain numbers, which keep nothing alive.
	runtime.KeepAlive(textC)
	runtime.KeepAlive(formatC)
	runtime.KeepAlive(names)
	runtime.KeepAlive(nameLens)
	runtime.KeepAlive(values)
	runtime.KeepAlive(valueLens)
	return h.checked(ptr)
}

// fetch gives the stream's next block; an empty one is the end.
func (h *handle) fetch(stream result) (result, error) {
	ptr := h.lib.fetchC(h.conn, stream.ptr)
	return h.checked(ptr)
}

// checked turns a C result with an error into a Go error and marks the handle.
func (h *handle) checked(ptr unsafe.Pointer) (result, error) {
	if ptr == nil {
		h.spoilt = true
		return result{}, errors.New("the engine library gave no result")
	}
	r := result{lib: h.lib, ptr: ptr}
	if text := goString(h.lib.errorC(ptr)); text != "" {
		h.spoilt = true
		r.free()
		return result{}, errors.New(text)
	}
	return r, nil
}

// abandon ends a stream that was not read to its end; it waits for the block in progress.
func (h *handle) abandon(stream result) {
	h.spoilt = true
	h.lib.cancelC(h.conn, stream.ptr)
}

// bytes is the library's own memory: read it before free, never write to it.
func (r result) bytes() []byte {
	n := r.lib.lengthC(r.ptr)
	ptr := r.lib.bufferC(r.ptr)
	if ptr == nil || n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(ptr), n)
}

func (r result) free() { r.lib.destroyC(r.ptr) }

// cString copies s with a closing zero byte, so that an empty string has an address too.
func cString(s string) unsafe.Pointer {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return unsafe.Pointer(&b[0])
}

func cStrings(params []param, of func(param) string) ([]unsafe.Pointer, []uintptr) {
	ptrs := make([]unsafe.Pointer, len(params))
	lens := make([]uintptr, len(params))
	for i, p := range params {
		ptrs[i], lens[i] = cString(of(p)), uintptr(len(of(p)))
	}
	return ptrs, lens
}

func first[T any](s []T) unsafe.Pointer {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Pointer(&s[0])
}

func goString(ptr unsafe.Pointer) string {
	if ptr == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(ptr, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(ptr), n))
}
