//! The units of measure: the second field of `scaler_unit` (IEC 62056-6-2, table of physical units).

use core::fmt;

macro_rules! units {
    ($($variant:ident = $code:literal, $symbol:literal;)*) => {
        /// A unit of measure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[allow(missing_docs, reason = "the names of the standard")]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub enum Unit {
            $($variant,)*
            /// A code that the table does not assign.
            Unassigned(u8),
        }

        impl Unit {
            /// The unit with this code.
            pub const fn from_code(code: u8) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    code => Self::Unassigned(code),
                }
            }

            /// The code on the wire.
            pub const fn code(self) -> u8 {
                if let Self::Unassigned(code) = self {
                    return code;
                }
                // All arms are constants, so that this is a table.
                match self {
                    $(Self::$variant => $code,)*
                    Self::Unassigned(_) => 0,
                }
            }

            /// The symbol; empty where there is none.
            pub const fn symbol(self) -> &'static str {
                match self {
                    $(Self::$variant => $symbol,)*
                    Self::Unassigned(_) => "",
                }
            }
        }
    };
}

units! {
    Year = 1, "a";
    Month = 2, "mo";
    Week = 3, "wk";
    Day = 4, "d";
    Hour = 5, "h";
    Minute = 6, "min";
    Second = 7, "s";
    PhaseAngleDegree = 8, "°";
    TemperatureCelsius = 9, "°C";
    LocalCurrency = 10, "currency";
    LengthMetre = 11, "m";
    SpeedMetrePerSecond = 12, "m/s";
    VolumeCubicMetre = 13, "m³";
    CorrectedVolumeCubicMetre = 14, "m³";
    VolumeFluxCubicMetrePerHour = 15, "m³/h";
    CorrectedVolumeFluxCubicMetrePerHour = 16, "m³/h";
    VolumeFluxCubicMetrePerDay = 17, "m³/d";
    CorrectedVolumeFluxCubicMetrePerDay = 18, "m³/d";
    VolumeLitre = 19, "l";
    MassKilogram = 20, "kg";
    ForceNewton = 21, "N";
    EnergyNewtonMetre = 22, "Nm";
    PressurePascal = 23, "Pa";
    PressureBar = 24, "bar";
    EnergyJoule = 25, "J";
    ThermalPowerJoulePerHour = 26, "J/h";
    ActivePowerWatt = 27, "W";
    ApparentPowerVoltAmpere = 28, "VA";
    ReactivePowerVar = 29, "var";
    ActiveEnergyWattHour = 30, "Wh";
    ApparentEnergyVoltAmpereHour = 31, "VAh";
    ReactiveEnergyVarHour = 32, "varh";
    CurrentAmpere = 33, "A";
    ElectricalChargeCoulomb = 34, "C";
    VoltageVolt = 35, "V";
    ElectricFieldStrengthVoltPerMetre = 36, "V/m";
    CapacitanceFarad = 37, "F";
    ResistanceOhm = 38, "Ω";
    Resistivity = 39, "Ωm²/m";
    MagneticFluxWeber = 40, "Wb";
    MagneticFluxDensityTesla = 41, "T";
    MagneticFieldStrengthAmperePerMetre = 42, "A/m";
    InductanceHenry = 43, "H";
    FrequencyHertz = 44, "Hz";
    ActiveEnergyMeterConstant = 45, "1/(Wh)";
    ReactiveEnergyMeterConstant = 46, "1/(varh)";
    ApparentEnergyMeterConstant = 47, "1/(VAh)";
    VoltSquaredHour = 48, "V²h";
    AmpereSquaredHour = 49, "A²h";
    MassFluxKilogramPerSecond = 50, "kg/s";
    ConductanceSiemens = 51, "S";
    TemperatureKelvin = 52, "K";
    VoltSquaredHourMeterConstant = 53, "1/(V²h)";
    AmpereSquaredHourMeterConstant = 54, "1/(A²h)";
    VolumeMeterConstant = 55, "1/m³";
    Percentage = 56, "%";
    AmpereHour = 57, "Ah";
    EnergyPerVolume = 60, "Wh/m³";
    CalorificValueWobbe = 61, "J/m³";
    MolarFractionMolePercent = 62, "Mol %";
    MassDensity = 63, "g/m³";
    DynamicViscosityPascalSecond = 64, "Pa s";
    SpecificEnergyJoulePerKilogram = 65, "J/kg";
    PressureGramPerSquareCentimetre = 66, "g/cm²";
    PressureAtmosphere = 67, "atm";
    SignalStrengthDecibelMilliwatt = 70, "dBm";
    SignalStrengthDecibelMicrovolt = 71, "dBµV";
    LogarithmicRatioDecibel = 72, "dB";
    LengthInch = 128, "in";
    LengthFoot = 129, "ft";
    MassPound = 130, "lb";
    TemperatureFahrenheit = 131, "°F";
    TemperatureRankine = 132, "°R";
    AreaSquareInch = 133, "sq in";
    AreaSquareFoot = 134, "sq ft";
    AreaAcre = 135, "ac";
    VolumeCubicInch = 136, "cu in";
    VolumeCubicFoot = 137, "cu ft";
    VolumeAcreFoot = 138, "ac ft";
    VolumeGallonImperial = 139, "gal (imp)";
    VolumeGallonUs = 140, "gal (US)";
    ForcePoundForce = 141, "lbf";
    PressurePoundForcePerSquareInch = 142, "psi";
    DensityPoundPerCubicFoot = 143, "lb/cu ft";
    DynamicViscosityPoundPerFootSecond = 144, "lb/(ft s)";
    KinematicViscositySquareFootPerSecond = 145, "sq ft/s";
    EnergyBritishThermalUnit = 146, "Btu";
    EnergyThermEu = 147, "thm (EC)";
    EnergyThermUs = 148, "thm (US)";
    CalorificValueOfMassBtuPerPound = 149, "Btu/lb";
    CalorificValueOfVolumeBtuPerCubicFoot = 150, "Btu/cu ft";
    VolumeMeterConstantCubicFoot = 151, "1/cu ft";
    SpeedFootPerSecond = 152, "ft/s";
    VolumeFluxCubicFootPerSecond = 153, "cu ft/s";
    VolumeFluxCubicFootPerMinute = 154, "cu ft/min";
    VolumeFluxCubicFootPerHour = 155, "cu ft/h";
    VolumeFluxCubicFootPerDay = 156, "cu ft/d";
    VolumeFluxAcreFootPerSecond = 157, "ac ft/s";
    VolumeFluxAcreFootPerMinute = 158, "ac ft/min";
    VolumeFluxAcreFootPerHour = 159, "ac ft/h";
    VolumeFluxAcreFootPerDay = 160, "ac ft/d";
    VolumeMeterConstantGallonImperial = 161, "1/gal (imp)";
    VolumeFluxGallonImperialPerSecond = 162, "gal (imp)/s";
    VolumeFluxGallonImperialPerMinute = 163, "gal (imp)/min";
    VolumeFluxGallonImperialPerHour = 164, "gal (imp)/h";
    VolumeFluxGallonImperialPerDay = 165, "gal (imp)/d";
    VolumeMeterConstantGallonUs = 166, "1/gal (US)";
    VolumeFluxGallonUsPerSecond = 167, "gal (US)/s";
    VolumeFluxGallonUsPerMinute = 168, "gal (US)/min";
    VolumeFluxGallonUsPerHour = 169, "gal (US)/h";
    VolumeFluxGallonUsPerDay = 170, "gal (US)/d";
    EnergyFlowBtuPerSecond = 171, "Btu/s";
    EnergyFlowBtuPerMinute = 172, "Btu/min";
    EnergyFlowBtuPerHour = 173, "Btu/h";
    EnergyFlowBtuPerDay = 174, "Btu/d";
    ExtendedTableOfUnits = 253, "";
    OtherUnit = 254, "other";
    NoUnit = 255, "";
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_kept() {
        for code in 0..=u8::MAX {
            assert_eq!(Unit::from_code(code).code(), code);
        }
        assert_eq!(Unit::from_code(30).symbol(), "Wh");
        assert_eq!(Unit::from_code(99), Unit::Unassigned(99));
    }
}
