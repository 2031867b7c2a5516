// Program gomaasapi: what Juju asks by github.com/juju/gomaasapi/v2, unmodified, of what MUSTER_CONFORMANCE names. Operations are the methods
// of its interfaces that may fail; everything else is read from what they give.
package main

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"strings"

	gomaasapi "github.com/juju/gomaasapi/v2"
	"muster/conformance/stage"
)

type tried struct {
	*stage.Stage
	controller gomaasapi.Controller
	// placed is the same at the URL of one cell.
	placed gomaasapi.Controller
	// low is the part of the library without shapes, for what the scenarios need and Juju never makes.
	low *gomaasapi.MAASObject
}

// on calls `Interface.Method` of a receiver, and ends the scenario when it fails.
func (t *tried) on(receiver any, operation string, args ...any) any {
	_, method, _ := strings.Cut(operation, ".")
	result, ok := t.Try(operation, receiver, method, args...)
	if !ok {
		t.Stop()
	}
	func() {
		defer func() {
			if reason := recover(); reason != nil {
				t.Failed(operation, fmt.Sprintf("what it gave cannot be read: %v", reason))
			}
		}()
		stage.Read(result)
	}()
	return result
}

func (t *tried) lists() {
	for _, name := range []string{"BootResources", "Fabrics", "Spaces", "StaticRoutes", "Zones", "Domains", "Tags"} {
		t.Scenario(name, func() { t.on(t.controller, "Controller."+name) })
	}
	t.Scenario("version", func() { t.on(t.controller, "Controller.APIVersionInfo") })
	t.Scenario("machines", func() {
		all := t.on(t.controller, "Controller.Machines", gomaasapi.MachinesArgs{}).([]gomaasapi.Machine)
		t.Want("Controller.Machines", len(all) >= len(t.Ready), "there are %d", len(all))
		some := t.on(t.controller, "Controller.Machines", gomaasapi.MachinesArgs{SystemIDs: t.Ready, Zone: "default"}).([]gomaasapi.Machine)
		t.Want("Controller.Machines", len(some) == len(t.Ready), "there are %d of %d", len(some), len(t.Ready))
	})
	t.Scenario("pools", func() { t.Try("Controller.Pools", t.controller, "Pools") })
}

func (t *tried) files() {
	t.Scenario("files", func() {
		content := []byte("juju \x00\xff bytes")
		t.on(t.controller, "Controller.AddFile", gomaasapi.AddFileArgs{Filename: "gma.txt", Content: content})
		found := t.on(t.controller, "Controller.Files", "gma").([]gomaasapi.File)
		t.Want("Controller.Files", len(found) == 1, "there are %d", len(found))
		file := t.on(t.controller, "Controller.GetFile", "gma.txt").(gomaasapi.File)
		read := t.on(file, "File.ReadAll").([]byte)
		t.Want("File.ReadAll", bytes.Equal(read, content), "it is %q", read)
		t.on(file, "File.Delete")
		_, err := t.controller.GetFile("gma.txt")
		t.Want("File.Delete", gomaasapi.IsNoMatchError(err), "reading it again says %v", err)
	})
}

// machine reads one machine again.
func (t *tried) machine(id string) gomaasapi.Machine {
	all := t.on(t.controller, "Controller.Machines", gomaasapi.MachinesArgs{SystemIDs: []string{id}}).([]gomaasapi.Machine)
	if len(all) != 1 {
		t.Failed("Controller.Machines", fmt.Sprintf("there are %d machines %s", len(all), id))
		t.Stop()
	}
	return all[0]
}

func (t *tried) untilStatus(operation, id, status string) {
	t.Until(operation, id+" is "+status, func() bool { return t.machine(id).StatusName() == status })
}

// made is something that Juju never makes.
func (t *tried) made(path, op string, params url.Values) map[string]gomaasapi.JSONObject {
	object, err := t.low.GetSubObject(path).CallPost(op, params)
	if err != nil {
		panic(fmt.Errorf("POST %s: %w", path, err))
	}
	fields, err := object.GetMap()
	if err != nil {
		panic(fmt.Errorf("POST %s: %w", path, err))
	}
	return fields
}

func numberOf(fields map[string]gomaasapi.JSONObject, name string) int {
	value, err := fields[name].GetFloat64()
	if err != nil {
		panic(err)
	}
	return int(value)
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "list" {
		stage.List(stage.Interfaces(os.Getenv("GOMAASAPI_SOURCE"), "interfaces.go"))
		return
	}
	s := stage.Open()
	controllers := [2]gomaasapi.Controller{}
	for i, at := range []string{s.URL, s.PlacedURL} {
		controller, err := gomaasapi.NewController(gomaasapi.ControllerArgs{BaseURL: gomaasapi.AddAPIVersionToURL(at+"/MAAS", "2.0"), APIKey: s.APIKey})
		if err != nil {
			panic(err)
		}
		controllers[i] = controller
	}
	low, err := gomaasapi.NewAuthenticatedClient(gomaasapi.AddAPIVersionToURL(s.URL+"/MAAS", "2.0"), s.APIKey)
	if err != nil {
		panic(err)
	}
	t := &tried{s, controllers[0], controllers[1], gomaasapi.NewMAAS(*low)}
	t.lists()
	t.files()
	t.allocate()
	t.devices()
}
