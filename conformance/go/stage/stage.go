// Package stage is what the scenarios of both Go clients share: what they are tried on, calls by reflection, and the lines that
// conformance/run.ts reads.
package stage

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"time"
)

// Given is what run.ts says in MUSTER_CONFORMANCE.
type Given struct {
	URL string `json:"url"`
	// PlacedURL is of one cell: there is made what nothing says a cell for.
	PlacedURL string   `json:"placedUrl"`
	APIKey    string   `json:"apiKey"`
	Series    string   `json:"series"`
	Ready     []string `json:"ready"`
}

type line struct {
	Operation string `json:"operation,omitempty"`
	OK        bool   `json:"ok"`
	Error     string `json:"error,omitempty"`
	Scenario  string `json:"scenario,omitempty"`
}

// Stage takes calls and tells of them.
type Stage struct {
	Given
	out *json.Encoder
}

// stop ends a scenario after an operation that the rest of it needs has failed.
type stop struct{}

// Open reads what is given.
func Open() *Stage {
	s := &Stage{out: json.NewEncoder(os.Stdout)}
	if err := json.Unmarshal([]byte(os.Getenv("MUSTER_CONFORMANCE")), &s.Given); err != nil {
		fmt.Fprintln(os.Stderr, "MUSTER_CONFORMANCE:", err)
		os.Exit(2)
	}
	return s
}

// List writes the operations of a client, each once.
func List(operations []string) {
	sort.Strings(operations)
	_ = json.NewEncoder(os.Stdout).Encode(operations)
}

// Passed tells of a use that went well.
func (s *Stage) Passed(operation string) { _ = s.out.Encode(line{Operation: operation, OK: true}) }

// Failed tells of one that did not.
func (s *Stage) Failed(operation string, err any) {
	_ = s.out.Encode(line{Operation: operation, Error: fmt.Sprint(err)})
}

// Scenario runs steps that belong together; what fails in it does not end the others.
func (s *Stage) Scenario(name string, steps func()) {
	_ = s.out.Encode(line{Scenario: name, OK: true})
	defer func() {
		if reason := recover(); reason != nil {
			if _, asked := reason.(stop); !asked {
				s.Failed("the scenario "+name, reason)
			}
		}
	}()
	steps()
}

// Try calls a method by its name, and tells of it. The method's first result comes back when the last one is no error.
func (s *Stage) Try(operation string, receiver any, method string, args ...any) (any, bool) {
	results, ok := s.TryAll(operation, receiver, method, args...)
	if len(results) == 0 {
		return nil, ok
	}
	return results[0], ok
}

// TryAll is Try with all results but the error.
func (s *Stage) TryAll(operation string, receiver any, method string, args ...any) (given []any, ok bool) {
	defer func() {
		if reason := recover(); reason != nil {
			s.Failed(operation, fmt.Sprintf("the client panicked: %v", reason))
			given, ok = nil, false
		}
	}()
	function := reflect.ValueOf(receiver).MethodByName(method)
	if !function.IsValid() {
		s.Failed(operation, "the client has no such method")
		return nil, false
	}
	arguments := make([]reflect.Value, len(args))
	for i, arg := range args {
		arguments[i] = argument(function.Type(), i, arg)
	}
	results := function.Call(arguments)
	if last := results[len(results)-1]; last.Type() == errorType && !last.IsNil() {
		s.Failed(operation, last.Interface())
		return nil, false
	}
	s.Passed(operation)
	for _, result := range results {
		if result.Type() != errorType {
			given = append(given, result.Interface())
		}
	}
	return given, true
}

// Read calls every accessor of an object and of what they give: a body that the client took may still not be readable.
func Read(object any) {
	read(reflect.ValueOf(object), 5)
}

func read(value reflect.Value, depth int) {
	if depth == 0 || !value.IsValid() {
		return
	}
	switch value.Kind() {
	case reflect.Slice:
		for i := 0; i < value.Len(); i++ {
			read(value.Index(i), depth-1)
		}
	case reflect.Interface, reflect.Pointer:
		if value.IsNil() || (value.Kind() == reflect.Interface && value.Elem().Kind() == reflect.Pointer && value.Elem().IsNil()) {
			return
		}
		for i := 0; i < value.NumMethod(); i++ {
			if method := value.Method(i); method.Type().NumIn() == 0 && method.Type().NumOut() == 1 && method.Type().Out(0) != errorType {
				read(method.Call(nil)[0], depth-1)
			}
		}
	}
}

var errorType = reflect.TypeOf((*error)(nil)).Elem()

func argument(function reflect.Type, index int, arg any) reflect.Value {
	wanted := function.In(min(index, function.NumIn()-1))
	if function.IsVariadic() && index >= function.NumIn()-1 {
		wanted = wanted.Elem()
	}
	if arg == nil {
		return reflect.Zero(wanted)
	}
	value := reflect.ValueOf(arg)
	if !value.Type().AssignableTo(wanted) && value.Type().ConvertibleTo(wanted) {
		return value.Convert(wanted)
	}
	return value
}

// Stop ends the scenario.
func (s *Stage) Stop() { panic(stop{}) }

// Want tells of an answer that is not as it must be, as a failure of the operation that gave it.
func (s *Stage) Want(operation string, isSo bool, format string, args ...any) {
	if !isSo {
		s.Failed(operation, "answered, but "+fmt.Sprintf(format, args...))
	}
}

// Until looks twice a second, for two minutes at most.
func (s *Stage) Until(operation, what string, look func() bool) {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if look() {
			return
		}
	}
	s.Failed(operation, "not within two minutes: "+what)
	s.Stop()
}
