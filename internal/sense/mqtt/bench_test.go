package mqtt_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// benchDevices are devices without a limit to speak of.
func benchDevices(n int) (ds []registry.Device, logins []mqttclient.Login) {
	for i := range n {
		d := device(fmt.Sprintf("bench-%d", i))
		d.Limits = registry.Limits{Messages: 1e6, Burst: 1e6}
		ds = append(ds, d)
		logins = append(logins, mqttclient.Login{ID: d.ID, Secret: secretOf(d.ID)})
	}
	return ds, logins
}

// BenchmarkQoS1 is 1,000 devices, 256 bytes, acknowledged when on disk.
func BenchmarkQoS1(b *testing.B) {
	for _, window := range []int{1, 10} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			ds, logins := benchDevices(1000)
			st := start(b, setting{devices: ds, dialect: mqttclient.Dialect{}})
			b.ReportAllocs()
			b.ResetTimer()
			res, err := mqttclient.Bench(context.Background(), mqttclient.BenchConfig{
				Addr: st.gw.Addr(), Clients: 1000, Window: window, Messages: b.N, Devices: logins, Topic: mqttclient.BenchTopic,
			})
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if res.Acked != int64(b.N) {
				b.Errorf("%d of %d acknowledged: %s", res.Acked, b.N, res.LastError)
			}
			b.ReportMetric(res.PerSecond, "acked/s")
			b.ReportMetric(float64(res.P50)/float64(time.Millisecond), "p50-ms")
			b.ReportMetric(float64(res.P99)/float64(time.Millisecond), "p99-ms")
		})
	}
}
