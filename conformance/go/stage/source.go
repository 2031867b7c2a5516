package stage

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
)

// parse the files of a folder that a pattern names, but for tests.
func parse(folder, pattern string) []*ast.File {
	names, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(names) == 0 {
		panic(fmt.Sprintf("there is no %s in %q: %v", pattern, folder, err))
	}
	files := []*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			panic(err)
		}
		files = append(files, file)
	}
	return files
}

// Methods are the exported methods of the exported types of a package's source, as Type.Method.
func Methods(folder string) []string {
	found := []string{}
	for _, file := range parse(folder, "*.go") {
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || function.Recv == nil || !function.Name.IsExported() {
				continue
			}
			receiver := function.Recv.List[0].Type
			if pointer, ok := receiver.(*ast.StarExpr); ok {
				receiver = pointer.X
			}
			if name, ok := receiver.(*ast.Ident); ok && name.IsExported() {
				found = append(found, name.Name+"."+function.Name.Name)
			}
		}
	}
	return found
}

// Interfaces are the methods of the exported interfaces of a source file that may fail, as Interface.Method: those whose last result
// is an error. The others are fields of what has been read already.
func Interfaces(folder, file string) []string {
	found := []string{}
	for _, parsed := range parse(folder, file) {
		ast.Inspect(parsed, func(node ast.Node) bool {
			spec, ok := node.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				return true
			}
			shape, ok := spec.Type.(*ast.InterfaceType)
			if !ok {
				return true
			}
			for _, method := range shape.Methods.List {
				function, ok := method.Type.(*ast.FuncType)
				if !ok || len(method.Names) == 0 || function.Results == nil {
					continue
				}
				last := function.Results.List[len(function.Results.List)-1].Type
				if name, ok := last.(*ast.Ident); ok && name.Name == "error" {
					found = append(found, spec.Name.Name+"."+method.Names[0].Name)
				}
			}
			return true
		})
	}
	return found
}
