package app

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Config is how a server runs. Its tags make it the command line's flags, the
// environment's variables and the configuration file's keys alike.
type Config struct {
	Data     string `help:"Directory for the log, the database and the keys." default:"bluelamp-data" env:"BLUELAMP_DATA_DIR" type:"path" group:"Storage"`
	DB       string `name:"db" help:"Database: postgres://... or a path; by default an SQLite file in the data directory." env:"BLUELAMP_DB" placeholder:"URL|PATH" group:"Storage"`
	NATS     string `name:"nats" help:"URL of a NATS cluster that holds the log; by default it is embedded." env:"BLUELAMP_NATS" group:"Storage" placeholder:"URL"`
	Replicas int    `name:"log-replicas" help:"Copies of the log that the NATS cluster keeps: 3, or 1 on a single server." default:"3" env:"BLUELAMP_LOG_REPLICAS" group:"Storage"`
	Reserve  int64  `help:"Free disk space, in MiB, below which nothing more is accepted." default:"128" env:"BLUELAMP_RESERVE" group:"Storage"`
	Listen   string `name:"log-listen" help:"host:port at which the embedded log accepts NATS clients; by default none." env:"BLUELAMP_LOG_LISTEN" placeholder:"HOST:PORT" group:"Storage"`

	HTTP    string `name:"http" help:"host:port of the control room." default:"127.0.0.1:8080" env:"BLUELAMP_HTTP" group:"Control room"`
	URL     string `name:"url" help:"Address under which people reach the control room, e.g. https://bluelamp.example; by default made from --http." env:"BLUELAMP_URL" placeholder:"URL" group:"Control room"`
	TLSCert string `name:"tls-cert" help:"Certificate file (PEM) for HTTPS." env:"BLUELAMP_TLS_CERT" placeholder:"FILE" type:"path" group:"Control room"`
	TLSKey  string `name:"tls-key" help:"Key file (PEM) for HTTPS." env:"BLUELAMP_TLS_KEY" placeholder:"FILE" type:"path" group:"Control room"`
	Zone    string `name:"time-zone" help:"Time zone of the force, for what people see." default:"Europe/London" env:"BLUELAMP_TIME_ZONE" group:"Control room"`
	BaseMap string `name:"base-map" help:"GeoJSON file with the streets and coasts that lie under the map." env:"BLUELAMP_BASE_MAP" placeholder:"FILE" type:"path" group:"Control room"`

	OIDCIssuer string            `name:"oidc-issuer" help:"Issuer URL of an OpenID Connect provider that people sign in with." env:"BLUELAMP_OIDC_ISSUER" placeholder:"URL" group:"Sign-in"`
	OIDCClient string            `name:"oidc-client" help:"Client id at the provider." env:"BLUELAMP_OIDC_CLIENT" placeholder:"ID" group:"Sign-in"`
	OIDCSecret string            `name:"oidc-secret" help:"Client secret at the provider." env:"BLUELAMP_OIDC_SECRET" placeholder:"SECRET" group:"Sign-in" secret:"true"`
	OIDCClaim  string            `name:"oidc-claim" help:"Claim that names a person's groups." default:"groups" env:"BLUELAMP_OIDC_CLAIM" group:"Sign-in"`
	OIDCRoles  map[string]string `name:"oidc-roles" help:"Role of each group: group=role." env:"BLUELAMP_OIDC_ROLES" placeholder:"GROUP=ROLE;..." group:"Sign-in"`

	DC09TCP    string        `name:"dc09-tcp" help:"host:port for SIA DC-09 alarm panels over TCP; empty for none." default:"127.0.0.1:10500" env:"BLUELAMP_DC09_TCP" group:"Sources"`
	DC09UDP    string        `name:"dc09-udp" help:"host:port for SIA DC-09 alarm panels over UDP; empty for none." default:"127.0.0.1:10500" env:"BLUELAMP_DC09_UDP" group:"Sources"`
	DC09Ahead  time.Duration `name:"dc09-ahead" help:"How far a panel's clock may be ahead." default:"20s" env:"BLUELAMP_DC09_AHEAD" group:"Sources"`
	DC09Behind time.Duration `name:"dc09-behind" help:"How far a panel's clock may be behind." default:"40s" env:"BLUELAMP_DC09_BEHIND" group:"Sources"`

	MQTT         string `name:"mqtt" help:"host:port for devices over MQTT without TLS; empty for none." default:"127.0.0.1:1883" env:"BLUELAMP_MQTT" group:"Sources"`
	MQTTTLS      string `name:"mqtt-tls" help:"host:port for devices over MQTT with TLS." env:"BLUELAMP_MQTT_TLS" placeholder:"HOST:PORT" group:"Sources"`
	MQTTClientCA string `name:"mqtt-client-ca" help:"Authorities (PEM) of which MQTT clients must show a certificate, besides their secret." env:"BLUELAMP_MQTT_CLIENT_CA" placeholder:"FILE" type:"path" group:"Sources"`
	Intake       string `name:"intake" help:"host:port for devices over HTTP, for enrolment and for edge gateways; empty for none." default:"127.0.0.1:8090" env:"BLUELAMP_INTAKE" group:"Sources"`
	IntakeURL    string `name:"intake-url" help:"Address under which devices reach --intake; by default made from it." env:"BLUELAMP_INTAKE_URL" placeholder:"URL" group:"Sources"`
	DeviceCert   string `name:"device-cert" help:"Certificate (PEM) for devices: for --mqtt-tls, --intake and --monitors." env:"BLUELAMP_DEVICE_CERT" placeholder:"FILE" type:"path" group:"Sources"`
	DeviceKey    string `name:"device-key" help:"Key (PEM) of the certificate for devices." env:"BLUELAMP_DEVICE_KEY" placeholder:"FILE" type:"path" group:"Sources"`

	Zeek       []string          `help:"Zeek log files to follow, or directories that hold them." env:"BLUELAMP_ZEEK" placeholder:"PATH,..." type:"path" group:"Sources"`
	Suricata   []string          `help:"Suricata EVE files to follow, or directories that hold them." env:"BLUELAMP_SURICATA" placeholder:"PATH,..." type:"path" group:"Sources"`
	Monitors   string            `help:"host:port at which network monitors send their lines over TCP, or TLS with --device-cert." env:"BLUELAMP_MONITORS" placeholder:"HOST:PORT" group:"Sources"`
	MonitorCA  string            `name:"monitor-ca" help:"Authorities (PEM) of monitors' certificates, whose names are device ids." env:"BLUELAMP_MONITOR_CA" placeholder:"FILE" type:"path" group:"Sources"`
	MonitorAt  map[string]string `name:"monitor-at" help:"Monitors known by where they connect from: address=device." env:"BLUELAMP_MONITOR_AT" placeholder:"ADDRESS=DEVICE;..." group:"Sources"`
	MonitorSoc map[string]string `name:"monitor-socket" help:"Unix sockets for monitors of this machine: path=device." env:"BLUELAMP_MONITOR_SOCKET" placeholder:"PATH=DEVICE;..." group:"Sources"`

	CAPFeeds  []string `name:"cap-feed" help:"Feeds (Atom or RSS) of other authorities' warnings to follow." env:"BLUELAMP_CAP_FEED" placeholder:"URL" group:"Warnings"`
	CAPTrust  []string `name:"cap-trust" help:"Certificates (PEM) of those who may warn." env:"BLUELAMP_CAP_TRUST" placeholder:"FILE,..." type:"path" group:"Warnings"`
	CAPPolicy string   `name:"cap-policy" help:"What becomes of warnings without a good signature." enum:"require,prefer,ignore" default:"prefer" env:"BLUELAMP_CAP_POLICY" group:"Warnings"`
	CAPArea   string   `name:"cap-area" help:"Area of the force, where others' warnings count: a closed line of latitude,longitude pairs apart by spaces; by default everywhere." env:"BLUELAMP_CAP_AREA" placeholder:"LAT,LON ..." group:"Warnings"`
	CAPSender string   `name:"cap-sender" help:"Sender of the warnings that this force issues, unique in the world." default:"bluelamp@localhost" env:"BLUELAMP_CAP_SENDER" group:"Warnings"`
	CAPName   string   `name:"cap-name" help:"Name of the force in its warnings." default:"Police" env:"BLUELAMP_CAP_NAME" group:"Warnings"`
	CAPKey    string   `name:"cap-key" help:"Key and certificate (PEM) that sign warnings; by default made at first use." env:"BLUELAMP_CAP_KEY" placeholder:"FILE" type:"path" group:"Warnings"`

	Backups []string `help:"Directories of backups, from which what has expired is erased too." env:"BLUELAMP_BACKUPS" placeholder:"DIR,..." type:"path" group:"Storage"`

	LogLevel  string `name:"log-level" help:"Least severe messages to log." enum:"debug,info,warn,error" default:"info" env:"BLUELAMP_LOG_LEVEL" group:"Messages"`
	LogFormat string `name:"log-format" help:"Form of the messages." enum:"text,json" default:"text" env:"BLUELAMP_LOG_FORMAT" group:"Messages"`
}

// Database returns the database's URL.
func (c *Config) Database() string {
	if c.DB != "" {
		return c.DB
	}
	return filepath.Join(c.Data, "bluelamp.db")
}

// LogReplicas returns how many copies of the log there are to be; 0 leaves it to
// the log.
func (c *Config) LogReplicas() int {
	if c.NATS == "" {
		return 0
	}
	return c.Replicas
}

// Check reports what is wrong with the configuration by itself.
func (c *Config) Check() error {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key go together: give both or neither")
	}
	if (c.DeviceCert == "") != (c.DeviceKey == "") {
		return errors.New("--device-cert and --device-key go together: give both or neither")
	}
	if c.MQTTTLS != "" && c.DeviceCert == "" {
		return errors.New("--mqtt-tls needs --device-cert and --device-key")
	}
	if _, err := time.LoadLocation(c.Zone); err != nil {
		return fmt.Errorf("--time-zone: %w: use a name such as Europe/London", err)
	}
	if c.Replicas < 0 || c.Replicas > 5 {
		return errors.New("--log-replicas must be from 1 to 5")
	}
	return c.checkOIDC()
}

// secure reports whether people come over TLS, to us or to a proxy before us.
func (c *Config) secure() bool { return c.TLSCert != "" || strings.HasPrefix(c.URL, "https://") }
