package stage

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"time"

	gomaasapi "github.com/juju/gomaasapi/v2"
)

// SSHKey is a new public key.
func SSHKey() string {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	blob := []byte{}
	for _, part := range [][]byte{[]byte("ssh-ed25519"), public} {
		blob = binary.BigEndian.AppendUint32(blob, uint32(len(part)))
		blob = append(blob, part...)
	}
	return "ssh-ed25519 " + base64.StdEncoding.EncodeToString(blob) + " conformance"
}

// Certificate is a new one, signed by itself, as PEM.
func Certificate() string {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "conformance"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, public, private)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// NewBootResource makes one with its content, by gomaasapi: gomaasclient reads and deletes them, and cannot make them.
func (s *Stage) NewBootResource(name string) (int, error) {
	client, err := gomaasapi.NewAuthenticatedClient(gomaasapi.AddAPIVersionToURL(s.URL+"/MAAS", "2.0"), s.APIKey)
	if err != nil {
		return 0, err
	}
	content := make([]byte, 1000)
	_, _ = rand.Read(content)
	params := url.Values{"name": {name}, "architecture": {"amd64/generic"}, "filetype": {"tar.zst"}, "size": {fmt.Sprint(len(content))}}
	params.Set("sha256", fmt.Sprintf("%x", sha256.Sum256(content)))
	made, err := gomaasapi.NewMAAS(*client).GetSubObject("boot-resources").CallPost("", params)
	if err != nil {
		return 0, err
	}
	body, err := made.MarshalJSON()
	if err != nil {
		return 0, err
	}
	var resource struct {
		ID   int `json:"id"`
		Sets map[string]struct {
			Files map[string]struct {
				UploadURI string `json:"upload_uri"`
			} `json:"files"`
		} `json:"sets"`
	}
	if err := json.Unmarshal(body, &resource); err != nil {
		return 0, err
	}
	for _, set := range resource.Sets {
		for _, file := range set.Files {
			if err := upload(client, s.URL+file.UploadURI, content); err != nil {
				return 0, err
			}
		}
	}
	return resource.ID, nil
}

func upload(client *gomaasapi.Client, at string, content []byte) error {
	request, err := http.NewRequest(http.MethodPut, at, bytes.NewReader(content))
	if err != nil {
		return err
	}
	if err := client.Signer.OAuthSign(request); err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("PUT %s: %s", at, reply.Status)
	}
	return nil
}
