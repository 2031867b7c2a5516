// Program gomaasclient: every service and method of github.com/canonical/gomaasclient, unmodified, against what MUSTER_CONFORMANCE names.
// `list` prints its operations as the client's own types have them.
package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/canonical/gomaasclient/client"
	"muster/conformance/stage"
)

// plain are the HTTP verbs that every service inherits.
const plain = "APIClient."

// operations are the methods of every service: of every type of the package that speaks to MAAS.
func operations() []string {
	found := []string{}
	for _, name := range stage.Methods(os.Getenv("GOMAASCLIENT_SOURCE") + "/client") {
		if !strings.HasPrefix(name, plain) {
			found = append(found, name)
		}
	}
	return found
}

// tried calls the services of one client.
type tried struct {
	*stage.Stage
	services map[string]any
	// placed is the same at the URL of one cell.
	placed *tried
}

// try calls `Service.Method`.
func (t *tried) try(operation string, args ...any) (any, bool) {
	service, method, _ := strings.Cut(operation, ".")
	if t.services[service] == nil {
		t.Failed(operation, "the client has no such service")
		return nil, false
	}
	return t.Try(operation, t.services[service], method, args...)
}

// must calls it, and ends the scenario when it fails.
func (t *tried) must(operation string, args ...any) any {
	result, ok := t.try(operation, args...)
	if !ok {
		t.Stop()
	}
	return result
}

// got is `must` with the result's type.
func got[T any](t *tried, operation string, args ...any) T {
	result, ok := t.must(operation, args...).(T)
	if !ok {
		t.Failed(operation, fmt.Sprintf("the client gave %T", result))
		t.Stop()
	}
	return result
}

// services of a client at this URL by name, and two that it leaves out.
func services(s *stage.Stage, url string) map[string]any {
	made, err := client.GetClient(url+"/MAAS", s.APIKey, "2.0")
	if err != nil {
		panic(err)
	}
	plain, err := client.GetAPIClient(url+"/MAAS", s.APIKey, "2.0")
	if err != nil {
		panic(err)
	}
	found := map[string]any{"Discoveries": &client.Discoveries{APIClient: *plain}, "Discovery": &client.Discovery{APIClient: *plain}}
	for all, i := reflect.ValueOf(*made), 0; i < all.NumField(); i++ {
		found[all.Type().Field(i).Name] = all.Field(i).Interface()
	}
	return found
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "list" {
		stage.List(operations())
		return
	}
	s := stage.Open()
	t := &tried{s, services(s, s.URL), nil}
	t.placed = &tried{s, services(s, s.PlacedURL), nil}
	t.settings()
	t.people()
	t.networks()
	t.names()
	t.images()
	t.scripts()
	t.controllers()
	t.devices()
	t.storage(s.Ready[0])
	t.interfaces(s.Ready[1])
	t.machineLife(s.Ready[2])
	t.machineCare(s.Ready[3])
	t.virtual()
}
