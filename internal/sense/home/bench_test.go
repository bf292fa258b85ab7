package home

import (
	"testing"
)

// BenchmarkObserve measures what a message costs, for each ecosystem.
func BenchmarkObserve(b *testing.B) {
	for _, c := range []struct{ name, config, line string }{
		{
			NameHomeAssistant, `homeassistant/binary_sensor/0x01/contact/config {"device_class":"door","state_topic":"z/front","value_template":"{{ value_json.contact }}","payload_on":false,"payload_off":true,"name":"Front door"}`,
			`z/front {"contact":false,"battery":88,"linkquality":70}`,
		},
		{"homeassistant plain", `homeassistant/binary_sensor/0x01/contact/config {"device_class":"door","state_topic":"z/front"}`, `z/front ON`},
		{"statestream", `statestream/binary_sensor/front_door/device_class "door"`, `statestream/binary_sensor/front_door/state on`},
		{NameZigbee2MQTT, ``, `zigbee2mqtt/front_door {"contact":false,"battery":97,"voltage":2995,"linkquality":204,"tamper":false,"device_temperature":21,"last_seen":"2026-03-02T11:59:59.500Z"}`},
		{NameFrigate, ``, `frigate/events {"type":"update","before":{"id":"1772452795.475377-mxklsc","camera":"drive","frame_time":1772452796.5,"label":"person"},"after":{"id":"1772452795.475377-mxklsc","camera":"drive","frame_time":1772452798.5,"label":"person","sub_label":null,"top_score":0.958984375,"false_positive":false,"start_time":1772452795.475377,"end_time":null,"current_zones":["porch"],"entered_zones":["drive","porch"],"has_clip":true,"stationary":true}}`},
		{NameESPHome, ``, `esphome/hall/binary_sensor/front_door/state ON`},
		{NameTasmota, ``, `tele/plug/STATE {"Time":"2026-03-02T12:00:01","UptimeSec":3611,"Heap":25,"POWER":"ON","Wifi":{"AP":1,"RSSI":72,"Signal":-64}}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := New(nil)
			if c.config != "" {
				f.Remember(message(c.config, 0))
			}
			m := message(c.line, 0)
			b.ReportAllocs()
			for b.Loop() {
				if _, os, err := take(f, m); err != nil || len(os) == 0 {
					b.Fatal(os, err)
				}
			}
		})
	}
}
