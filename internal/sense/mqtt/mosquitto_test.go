package mqtt_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/mqtt"
)

// mosquitto runs mosquitto_pub or mosquitto_sub against the station.
func (st *station) mosquitto(name, device string, args ...string) (string, error) {
	st.tb.Helper()
	path := program(st.tb, name)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	host, port, err := net.SplitHostPort(st.gw.Addr())
	if err != nil {
		st.tb.Fatal(err)
	}
	all := append([]string{"-h", host, "-p", port, "-u", device, "-P", secretOf(device)}, args...)
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, path, all...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

func TestMosquittoPublishes(t *testing.T) {
	st := start(t, setting{})
	for _, version := range []string{"mqttv311", "mqttv5"} {
		for _, qos := range []string{"0", "1", "2"} {
			word := version + "-" + qos
			out, err := st.mosquitto("mosquitto_pub", "hub-1", "-V", version, "-q", qos, "-t", "hub-1/door", "-m", word)
			if err != nil || out != "" {
				t.Errorf("%s: %v: %s", word, err, out)
			}
			st.await("sensor.state hub-1 door " + word)
			if n := st.count("sensor.state hub-1 door " + word); n != 1 {
				t.Errorf("%s: observed %d times", word, n)
			}
		}
	}
	out, err := st.mosquitto("mosquitto_pub", "hub-1", "-V", "mqttv5", "-q", "1", "-t", "hub-2/door", "-m", "x")
	if !strings.Contains(strings.ToLower(out), "not authorized") {
		t.Errorf("publishing to another's topic: %v: %q", err, out)
	}
	st.await("device.misuse hub-1 topic")
}

func TestMosquittoSubscribes(t *testing.T) {
	st := start(t, setting{})
	for _, version := range []string{"mqttv311", "mqttv5"} {
		for _, qos := range []string{"0", "1", "2"} {
			topic := "hub-1/cmd/" + version + qos
			if out, err := st.mosquitto("mosquitto_pub", "hub-1", "-r", "-q", qos, "-t", topic, "-m", "kept"); err != nil {
				t.Fatal(err, out)
			}
			eventually(t, "retained", func() bool {
				out, err := st.mosquitto("mosquitto_sub", "hub-1", "-V", version, "-q", qos, "-t", topic, "-C", "1", "-W", "5", "-F", "%r %q %t %p")
				return err == nil && strings.TrimSpace(out) == fmt.Sprintf("1 %s %s kept", qos, topic)
			})
		}
	}
	if out, err := st.mosquitto("mosquitto_sub", "hub-2", "-V", "mqttv5", "-t", "#", "-C", "1", "-W", "2"); !strings.Contains(out, "denied") || strings.Contains(out, "kept") {
		t.Errorf("subscribing to everything: %v: %q", err, out)
	}
	st.await("device.misuse hub-2 topic")
	// Many retained messages reach a newcomer all.
	var lines strings.Builder
	for i := range 100 {
		fmt.Fprintln(&lines, i)
	}
	path := program(t, "mosquitto_pub")
	host, port, _ := net.SplitHostPort(st.gw.Addr())
	for i := range 3 { // topics one by one would take long
		cmd := exec.Command(path, "-h", host, "-p", port, "-u", "hub-1", "-P", secretOf("hub-1"), "-l", "-q", "1", "-r", "-t", fmt.Sprintf("hub-1/cmd/line%d", i))
		cmd.Stdin = strings.NewReader(lines.String())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatal(err, string(out))
		}
	}
	out, err := st.mosquitto("mosquitto_sub", "hub-1", "-V", "mqttv5", "-q", "1", "-t", "hub-1/#", "-C", "9", "-W", "5")
	if err != nil || strings.Count(out, "99\n") != 3 {
		t.Errorf("%v: %q", err, out)
	}
}

func TestMosquittoRetainedOutliveARestart(t *testing.T) {
	st := start(t, setting{})
	for i := range 20 {
		if out, err := st.mosquitto("mosquitto_pub", "hub-1", "-r", "-q", "1", "-t", fmt.Sprintf("hub-1/homeassistant/%d/config", i), "-m", fmt.Sprint("sensor", i)); err != nil {
			t.Fatal(err, out)
		}
	}
	for i := range 5 { // an empty message deletes
		if out, err := st.mosquitto("mosquitto_pub", "hub-1", "-r", "-q", "1", "-t", fmt.Sprintf("hub-1/homeassistant/%d/config", i), "-n"); err != nil {
			t.Fatal(err, out)
		}
	}
	st = st.restart(setting{})
	eventually(t, "remembered", func() bool {
		st.words.mu.Lock()
		defer st.words.mu.Unlock()
		return len(st.words.remembered) == 15
	})
	if !strings.Contains(strings.Join(st.words.remembered, " "), "hub-1|homeassistant/19/config|sensor19") {
		t.Errorf("%q", st.words.remembered)
	}
	out, err := st.mosquitto("mosquitto_sub", "hub-1", "-t", "hub-1/homeassistant/#", "-C", "15", "-W", "5")
	if err != nil || strings.Count(out, "sensor") != 15 {
		t.Errorf("%v: %q", err, out)
	}
	if out, err := st.mosquitto("mosquitto_sub", "hub-1", "-t", "hub-1/homeassistant/2/config", "-C", "1", "-W", "1"); err == nil {
		t.Errorf("a deleted message is back: %q", out)
	}
}

func TestMosquittoOverTLS(t *testing.T) {
	dir := t.TempDir()
	ca, caKey := authority(t, dir)
	certify(t, dir, "server", ca, caKey)
	certify(t, dir, "client", ca, caKey)
	file := func(name string) string { return filepath.Join(dir, name) }
	st := start(t, setting{cfg: mqtt.Config{TLS: "127.0.0.1:0", Cert: file("server.crt"), Key: file("server.key"), ClientCA: file("ca.crt")}})
	_, port, _ := net.SplitHostPort(st.gw.TLSAddr())
	args := []string{"-h", "127.0.0.1", "-p", port, "--cafile", file("ca.crt"), "-t", "hub-1/door", "-q", "1"}
	own := []string{"--cert", file("client.crt"), "--key", file("client.key")}
	for _, version := range []string{"mqttv311", "mqttv5"} {
		if out, err := st.mosquitto("mosquitto_pub", "hub-1", append(append(args, own...), "-V", version, "-m", "tls-"+version)...); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		st.await("sensor.state hub-1 door tls-" + version)
	}
	if out, err := st.mosquitto("mosquitto_pub", "hub-1", append(args, "-m", "none")...); err == nil {
		t.Errorf("let in without a certificate: %s", out)
	}
}

func TestMosquittoLastWill(t *testing.T) {
	st := start(t, setting{})
	path := program(t, "mosquitto_sub")
	for range 2 {
		host, port, _ := net.SplitHostPort(st.gw.Addr())
		cmd := exec.Command(path, "-h", host, "-p", port, "-u", "hub-1", "-P", secretOf("hub-1"), "-i", "z2m", "-t", "hub-1/#",
			"--will-topic", "hub-1/bridge/state", "--will-payload", "offline", "--will-retain", "--will-qos", "1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		before := st.count("device.gone hub-1")
		eventually(t, "connected", func() bool { return st.metric("bluelamp_mqtt_connections") == 1 })
		time.Sleep(50 * time.Millisecond) // CONNACK
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		eventually(t, "gone", func() bool { return st.count("device.gone hub-1") == before+1 })
		st.await("sensor.state hub-1 bridge/state offline")
		st = st.restart(setting{}) // what is gone is still gone after a restart
	}
	if n := st.count("device.present hub-1"); n != 1 {
		t.Errorf("present %d times, want once, at the second connect", n)
	}
	out, err := st.mosquitto("mosquitto_sub", "hub-1", "-t", "hub-1/bridge/state", "-C", "1", "-W", "5")
	if err != nil || strings.TrimSpace(out) != "offline" {
		t.Errorf("%v: %q", err, out)
	}
}

func authority(t *testing.T, dir string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, dir, "ca", tmpl, tmpl, key, key)
	return tmpl, key
}

func certify(t *testing.T, dir, name string, ca *x509.Certificate, caKey *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	writeCertificate(t, dir, name, tmpl, ca, key, caKey)
}

func writeCertificate(t *testing.T, dir, name string, tmpl, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
